"""French."""

MESSAGES = {
    # panels
    "Text to Motion": "Texte en mouvement",
    "Motion": "Mouvement",
    "Takes": "Prises",
    "Edit": "Éditer",
    "Engine": "Moteur",
    "Retarget": "Transférer",
    "Bone Map": "Correspondance des os",
    "Block": "Bloc",
    "Prompts That Work": "Textes éprouvés",
    # storyboard
    "Prompt": "Texte",
    "What the character does, in plain English: a person walks and turns left": "Ce que fait le personnage, en anglais "
    "simple : a person walks and turns left",
    "Length in": "Durée en",
    "What stays when the scene's frame rate is changed": "Ce qui reste quand la cadence de la scène change",
    "The block lasts as long at any frame rate": "Le bloc dure aussi longtemps à toute cadence",
    "The block has as many frames at any frame rate": "Le bloc a autant d'images à toute cadence",
    "Length of the block": "Durée du bloc",
    "Length of the block in frames of the scene": "Durée du bloc en images de la scène",
    "The same prompt, duration and seed give the same motion; another seed gives another take": "Le même texte, la même "
    "durée et la même graine donnent le même mouvement ; une autre graine donne une autre prise",
    "Never change this block's motion: what is generated around it joins on to it": "Ne jamais changer le mouvement de ce "
    "bloc : ce qui est généré autour s'y raccorde",
    "Transition": "Transition",
    "How much of the motion on each side of this block may be bent when the block is generated anew, so that it "
    "joins on": "Combien du mouvement de chaque côté peut être infléchi quand le bloc est généré à nouveau, pour qu'il "
    "se raccorde",
    "Add Block": "Ajouter un bloc",
    "Add a block after the active one": "Ajouter un bloc après le bloc actif",
    "Remove Block": "Supprimer le bloc",
    "Remove the block; keys that were made of it stay": "Supprimer le bloc ; les clés qui en sont issues restent",
    "Move Block": "Déplacer le bloc",
    "Move the block one place up or down": "Déplacer le bloc d'une place vers le haut ou le bas",
    "Duplicate Block": "Dupliquer le bloc",
    "Add a block that says the same, after this one": "Ajouter après ce bloc un bloc identique",
    "Split Block": "Couper le bloc",
    "Use Prompt": "Utiliser ce texte",
    "Start at Current Frame": "Commencer à l'image actuelle",
    "Let the storyboard begin at the current frame": "Faire commencer le storyboard à l'image actuelle",
    "Active Block": "Bloc actif",
    "The block whose settings are shown below": "Le bloc dont les réglages sont affichés dessous",
    "Where the storyboard's first block begins": "Où commence le premier bloc du storyboard",
    "Show on the timeline where the blocks begin and end": "Montrer sur la frise où commencent et finissent les blocs",
    "Start the engine to see what its weights know": "Démarrez le moteur pour voir ce que ses poids savent faire",
    "These weights come without a list of prompts": "Ces poids viennent sans liste de textes",
    # generating
    "Generate Motion": "Générer le mouvement",
    "Regenerate Block": "Régénérer le bloc",
    "Generate this block anew, with its seed; the motion before and after it stays as it is, but for the transition": (
        "Générer ce bloc à nouveau, avec sa graine ; le mouvement avant et après reste tel quel, sauf la transition"
    ),
    "Fill Between Keys": "Remplir entre les clés",
    "Stop and Keep": "Arrêter et garder",
    "Stop generating": "Arrêter la génération",
    "Stop generating, and keep the keys that are there": "Arrêter la génération et garder les clés qui sont là",
    "Stop generating, and have everything as it was before": "Arrêter la génération et tout remettre comme avant",
    "A motion is being generated": "Un mouvement est en cours de génération",
    "The KMM armature that gets the motion. Empty: a new one is made. A KMM armature that is selected and active goes "
    "before it": "L'armature KMM qui reçoit le mouvement. Vide : une nouvelle est créée. Une armature KMM sélectionnée et "
    "active passe avant",
    "Where the motion starts": "Où commence le mouvement",
    "At Origin": "À l'origine",
    "On the armature's origin, facing its front": "À l'origine de l'armature, face à l'avant",
    "Where It Stands": "Là où il se tient",
    "Where the character stands at the start frame, and the way it faces": "Là où le personnage se tient à l'image de "
    "départ, et dans sa direction",
    "After Last Key": "Après la dernière clé",
    "After the character's last key, going on from the motion before it": "Après la dernière clé du personnage, à la suite "
    "du mouvement qui précède",
    "How fast the motion is played: with 2 the character does twice as much in the same time": "À quelle vitesse le "
    "mouvement est joué : avec 2, le personnage en fait deux fois plus dans le même temps",
    "In Place": "Sur place",
    "Keep the character above the spot where it starts": "Garder le personnage au-dessus de son point de départ",
    "Let the last pose and its velocity meet the first": "Faire rejoindre la première pose et sa vitesse par la dernière",
    "Exchange left and right": "Échanger la gauche et la droite",
    # takes
    "How many variations to make at once, to choose from": "Combien de variantes générer à la fois, au choix",
    "Keep As": "Garder comme",
    "What a motion becomes when it is kept": "Ce que devient un mouvement que l'on garde",
    "An action of its own, on the character": "Une action à part, sur le personnage",
    "An action of its own, as a strip on a track of the character's NLA": "Une action à part, en bande sur une piste NLA "
    "du personnage",
    "Show Take": "Montrer la prise",
    "Put another take on the character": "Mettre une autre prise sur le personnage",
    "Accept": "Accepter",
    "Accept Take": "Accepter la prise",
    "Keep the take that the character shows, and forget the others": "Garder la prise que montre le personnage, et oublier "
    "les autres",
    "Reject All": "Tout rejeter",
    "Reject All Takes": "Rejeter toutes les prises",
    "Throw all takes away, and have action, pose and frame as they were before": "Jeter toutes les prises ; action, pose "
    "et image redeviennent comme avant",
    # edit
    "Reduce Keys": "Réduire les clés",
    "Replace generated keys by as few as hold the motion. Your own keys are left alone": "Remplacer les clés générées par "
    "aussi peu qu'il en faut au mouvement. Vos propres clés ne sont pas touchées",
    "Lock Feet": "Bloquer les pieds",
    "Keep feet that stand from sliding. Only the legs change, and your own keys are left alone": "Empêcher les pieds posés "
    "de glisser. Seules les jambes changent, et vos propres clés ne sont pas touchées",
    "Tolerance (mm)": "Tolérance (mm)",
    "Tolerance mm": "Tolérance mm",
    "When Kept": "En gardant",
    "{} keys became {}, {:.1f} times fewer; no joint is more than {:.1f} mm from where it was": "{} clés sont devenues {}, {:.1f} fois moins ; aucune articulation n'est à plus de {:.1f} mm de sa place",
    "Feet locked; the legs moved by up to {:.0f} mm, nothing else did": "Pieds bloqués ; les jambes ont bougé de {:.0f} mm au plus, rien d'autre",
    "No foot slides that generated keys hold; nothing was changed": "Aucun pied tenu par des clés générées ne glisse ; rien n'a été changé",
    # engine
    "Engine off": "Arrêté",
    "Engine starting": "Démarrage",
    "Engine ready": "Prêt",
    "Engine failed": "Échec",
    "Start Engine": "Démarrer le moteur",
    "Start the engine now, so that the next motion comes at once": "Démarrer le moteur maintenant, pour que le prochain "
    "mouvement vienne tout de suite",
    "Stop Engine": "Arrêter le moteur",
    "Stop the engine and free its memory; what is being generated keeps the keys that it has": "Arrêter le moteur et "
    "libérer sa mémoire ; ce qui est en cours garde les clés qu'il a",
    "Restart Engine": "Redémarrer le moteur",
    "Restart": "Redémarrer",
    "Stop the engine and start it again, with the Python and weights that are chosen now": "Arrêter le moteur et le "
    "redémarrer avec le Python et les poids choisis maintenant",
    "Device": "Matériel",
    "Memory": "Mémoire",
    "Weights": "Poids",
    "Use Weights": "Utiliser ces poids",
    "Choose the weights that the engine loads, and restart it if it runs": "Choisir les poids que charge le moteur, et le "
    "redémarrer s'il tourne",
    "Log": "Journal",
    "Engine Log": "Journal du moteur",
    "Show the end of what the engine wrote into its log": "Montrer la fin de ce que le moteur a écrit dans son journal",
    "The log is empty": "Le journal est vide",
    "Engine Preferences": "Préférences du moteur",
    "Open the preferences of this extension": "Ouvrir les préférences de cette extension",
    "The engine had nothing to do for long and has ended; it starts again when needed": "Le moteur n'avait rien à faire "
    "depuis longtemps et s'est terminé ; il redémarre quand il le faut",
    # installing, preferences
    "Install Engine...": "Installer le moteur...",
    "Installing the engine": "Installation du moteur",
    "Cancel Installation": "Annuler l'installation",
    "End the installation; what is there stays, and the next one goes on from it": "Terminer l'installation ; ce qui est là "
    "reste, et la prochaine continue à partir de là",
    "The engine is being installed": "Le moteur est en cours d'installation",
    "Open Log": "Ouvrir le journal",
    "Online access is off: all wheels that are needed must be in the folder": "L'accès en ligne est désactivé : tous les "
    "wheels nécessaires doivent être dans le dossier",
    "A wheel of kmm, a folder with its wheels, the project's own folder; or the package's name, if online access is "
    "allowed": "Un wheel de kmm, un dossier avec ses wheels, le dossier du projet ; ou le nom du paquet, si l'accès en "
    "ligne est autorisé",
    "Folder of the new environment": "Dossier du nouvel environnement",
    "Engine's Python": "Python du moteur",
    "Find Engine": "Trouver le moteur",
    "Look for a Python that has the engine installed, and choose it": "Chercher un Python où le moteur est installé, et le "
    "choisir",
    "Name or folder of the model's weights. Empty: the engine's default": "Nom ou dossier des poids du modèle. Vide : ceux "
    "par défaut du moteur",
    "Stop When Idle": "Arrêt sans travail",
    "Minutes without work after which the engine ends and frees its memory; it starts again when it is needed. 0: it runs "
    "as long as Blender": "Minutes sans travail après lesquelles le moteur se termine et libère sa mémoire ; il redémarre "
    "quand il le faut. 0 : il tourne aussi longtemps que Blender",
}
